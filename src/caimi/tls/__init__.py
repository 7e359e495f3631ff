"""TLS 1.3 between services: certificates (X.509, RFC 5280), authorities, and whom to believe."""
