"""The state of the medium: stars, clusters, the Galaxy; knows nothing of axions."""
