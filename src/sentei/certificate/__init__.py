"""Hands on the certificate: what was proven, in a form that anyone can check."""
