"""A model as a service: an HTTP server, and the replicas that predict, on Ray Serve.

Only this package imports ``ray.serve``; what needs no Ray is in modules of its own.
"""
