"""The rscovlm command line."""
