import pytest


def test_hello(client):
    assert client.get("/").json() == {"message": "hello world"}


@pytest.mark.django_db
def test_tickets_are_opened_and_listed(client):
    client.post("/tickets/", {"subject": "Cache"}, content_type="application/json")
    assert [ticket["subject"] for ticket in client.get("/tickets/").json()["tickets"]] == ["Cache"]
