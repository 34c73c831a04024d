"""Readers of data sets on disk: OpenKE id files, splits of named triples, and a single edge list."""

from dhns.graph.readers.edges import read_edge_list
from dhns.graph.readers.openke import OPENKE_FILES, read_openke
from dhns.graph.readers.split_files import TSV_FILES
from dhns.graph.readers.tsv import read_tsv

__all__ = ["OPENKE_FILES", "TSV_FILES", "read_edge_list", "read_openke", "read_tsv"]
