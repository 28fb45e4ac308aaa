"""What is wrong with a cluster file, all of it at once, without a cloud.

`checking.check` is the way in. Each other module holds the rules of one concern, as functions that
take a :class:`~fer_tune.cluster.checks.document.Document` and give faults.
"""
