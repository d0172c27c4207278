"""The addresses of the service."""

from django.urls import path

from tickets import views

urlpatterns = [path("", views.hello), path("tickets/", views.tickets)]
