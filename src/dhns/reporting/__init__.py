"""One HTML file about a run, or about several: what `dhns report` writes."""
