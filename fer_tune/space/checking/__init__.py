"""All errors of a search space, each as one message."""
