"""The inbox: where other systems post their messages. It stores first, and answers then."""

from drbridge.inbox.app import create

__all__ = ["create"]
