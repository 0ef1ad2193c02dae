"""One signed POST to a receiver: URL, SSRF policy, DNS, proxy, TLS, HTTP/1.1 and signature."""
