"""Argo Workflows carries out runs: each attempt is one workflow of pods."""
