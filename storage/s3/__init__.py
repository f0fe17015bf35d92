"""Objects and Parquet in a bucket: S3, or what obstore reaches in the same way (gs, az)."""
