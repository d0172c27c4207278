"""The server: gunicorn reads this from the folder that it starts in."""

bind = "0.0.0.0:8000"
workers = 2
accesslog = "-"
# Nothing is written in a container, and nobody could reach the socket.
control_socket_disable = True
