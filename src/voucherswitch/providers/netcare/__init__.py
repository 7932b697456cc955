"""Netcare: vouchers for medical services, over SOAP; tender first, exact price."""
