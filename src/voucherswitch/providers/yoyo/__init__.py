"""Yoyo (formerly wiGroup): a platform for gift cards, coupons and their redemption."""
