"""The answers of the service."""

import json

from django.http import JsonResponse
from django.views.decorators.http import require_GET, require_http_methods

from .models import Ticket


@require_GET
def hello(request):
    """Says that the service is there."""
    return JsonResponse({"message": "hello world"})


@require_http_methods(["GET", "POST"])
def tickets(request):
    """Opens a ticket, and lists all."""
    if request.method == "POST":
        Ticket.objects.create(subject=json.loads(request.body)["subject"])
    return JsonResponse({"tickets": list(Ticket.objects.values("id", "subject"))})
