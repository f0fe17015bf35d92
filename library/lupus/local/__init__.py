"""Detection on this machine, without any server: the service's own detectors (extra ``local``)."""
