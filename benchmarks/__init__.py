"""The project beside its peers on the same work: ``make bench``.

`works` says what is compared, `driver` runs the sides of a work in turn, each in a process of its own, `sides` holds
what those processes do, `report` prints and stores. docs/performance.md says how to read it.
"""
