"""What is kept of a ticket."""

from django.db import models


class Ticket(models.Model):
    """A question of a customer."""

    subject = models.CharField(max_length=200)
    opened = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
