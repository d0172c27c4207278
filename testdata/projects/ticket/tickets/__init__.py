"""Tickets: what customers ask, and whether somebody has answered."""
