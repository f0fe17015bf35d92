"""Argo Workflows carries out runs: each attempt at a run is one workflow of pods.

workflow
    The object that Argo's controller works at: plan, detect for each chunk, publish, note.
kind of pod
    plan, detect or publish: three sets of settings and secrets. Note and ingest take publish's.
autopsy
    What is found out about a pod that ended without telling why, kept beside the run.
"""
