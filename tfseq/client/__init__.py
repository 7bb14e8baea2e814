"""Asks a server for labels: `python -m tfseq.client`."""
