"""Raw files of a data set: downloaded and verified, or made up for the sample."""
