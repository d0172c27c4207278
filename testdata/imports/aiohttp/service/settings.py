UPSTREAM = "https://example.com"
