"""Who is who on a Fabric channel: certificates, what they sign, and whose members they are."""
