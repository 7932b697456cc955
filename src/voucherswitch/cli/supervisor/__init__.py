"""The processes of `voucherswitch up`: start them, see them ready, restart what crashes, stop them in order.

Knows nothing of what the children do. They run in sessions of their own, so that Ctrl-C in a terminal reaches the
supervisor alone and it can let the interface drain before it takes away what the interface needs.
"""

from voucherswitch.cli.supervisor.child import Child, Probe
from voucherswitch.cli.supervisor.handover import handed_listeners, tell_ready
from voucherswitch.cli.supervisor.parent import PARENT_PIPE_VARIABLE, watch_parent
from voucherswitch.cli.supervisor.supervisor import Supervisor

__all__ = ["PARENT_PIPE_VARIABLE", "Child", "Probe", "Supervisor", "handed_listeners", "tell_ready", "watch_parent"]
