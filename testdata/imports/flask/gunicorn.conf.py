bind = "0.0.0.0:8000"
worker_class = "gthread"


def post_fork(server, worker):
    from opentelemetry_of_production import instrument
