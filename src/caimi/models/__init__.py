"""What is shared: packages, their manifests and signatures, sealing, lineage."""
