internal import Glibc
internal import IPC

extension ForwardRefusal {
    /// The sentence for a caller.
    var sentence: String {
        switch self {
        case .stopping: "The daemon stops; nothing was forwarded."
        case .notAllowed(let host): "hosts.\(host).capabilities.port_forward is off: nothing was forwarded."
        case .noCall: "Nothing was forwarded, because the call was over by then. Call again."
        case .noTarget: "Where the forward is to lead is no host and port, and no path of a Unix socket."
        case .tooMany:
            "There are \(ForwardEntry.maximumCount) forwards already, which is the most. "
                + "Cancel one with ssh_cancel_forward."
        case .portOfForward(let localPort, let forward):
            "local_port \(localPort) belongs to forward \(forward). Cancel that one, or leave local_port out."
        case .portTaken(let localPort):
            "local_port \(localPort) is taken by another program. Leave local_port out, or name a free one."
        case .noPort: "No local port is free; nothing was forwarded."
        case .namesTooLong(let host):
            "hosts.\(host): socket, user and host must have at most 255 bytes each for a forward."
        case .notWritten(let path, let errno):
            "Nothing was forwarded, because it could not be written down: \(path): "
                + "\(String(cString: strerror(Int32(clamping: errno))))."
        case .notWrittenAmongOthers(let directory):
            "Nothing was forwarded, because it could not be written down: \(directory) belongs to another user, or others "
                + "can write to it."
        case .allowedNoMore(let host): "\"\(host)\" may not forward any more; the forward is closed again."
        case .notListening(let host, let localPort):
            "The ControlMaster of \"\(host)\" was said to listen on 127.0.0.1:\(localPort), and does not. Try again."
        case .notOpened(let host, let localPort, let wasNamed):
            "The ControlMaster of \"\(host)\" could not listen on 127.0.0.1:\(localPort): "
                + "the port is taken, or one that only root may have. "
                + (wasNamed ? "Leave local_port out, or name another one." : "Try again.")
        case .masterDown(let host, _): "The ControlMaster of \"\(host)\" is not up. Nothing was forwarded."
        case .masterSilent(let host):
            "The ControlMaster of \"\(host)\" did not answer in time. What it opens yet is closed again. "
                + "Ask ssh_connection_status whether it lives."
        case .noSuchForward(let forward, let localPort, let host):
            "There is no forward with \(forward == 0 ? "local_port \(localPort)" : "forward_id \(forward)")"
                + "\(host.isEmpty ? "" : " on \"\(host)\""). ssh_list_forwards shows those that there are."
        case .busy(let forward): "Forward \(forward) is just being made or closed. Look again with ssh_list_forwards."
        case .stillOpen(let forward, let outcome, let route):
            "Forward \(forward) is still open: \(outcome.clause). The user can try by hand: \(route.cancelCommand)"
        }
    }
}

extension ForwardOutcome {
    /// Why a port that a master was to close is open.
    fileprivate var clause: String {
        switch self {
        case .opened, .closed: "the ControlMaster says that it closed it, and something listens there"
        case .refused: "the ControlMaster says that it has no such forward"
        case .down(.hung), .unknown: "the ControlMaster does not answer"
        case .down(.noGate): "claude-ssh-gate does not answer"
        case .down: "the ControlMaster cannot be reached"
        case .notAllowed: "the gate refused to close it"
        }
    }
}

extension ForwardEntry {
    /// What is wrong with the forward, for a caller; nil if nothing is.
    var reason: String? {
        switch trouble {
        case .none: nil
        case .notCancelled:
            "it could not be closed; ssh_cancel_forward tries again, and names the command that closes it by hand"
        case .some(let trouble): trouble.clause(host: host, localPort: localPort)
        }
    }
}
