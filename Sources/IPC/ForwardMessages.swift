extension ToWorker {
    /// Answers to messages about forwards, and orders to a worker that only cancels forwards.
    public enum Forwards: MessageSubject {
        /// Ask the master to listen on this port, for the forward of this number.
        case assigned(forward: UInt32, localPort: UInt16)
        /// The forward is there, since this time in seconds after 1970.
        case running(forward: UInt32, localPort: UInt16, since: UInt64)
        /// The request is refused or has failed, for this reason.
        case refused(ForwardRefusal)
        /// The forwards that there are.
        case list([ForwardEntry])
        /// Ask the master to cancel this forward, and report. This is an answer to a worker that serves, and an order to one that
        /// only cancels.
        case close(forward: UInt32, route: ForwardRoute)
        /// The forward has been cancelled: its listener is gone.
        case closed(ForwardEntry)

        /// See `MessageChoice`.
        public static let kinds: [Forwards] = [
            .assigned(forward: 0, localPort: 0), .running(forward: 0, localPort: 0, since: 0), .refused(.stopping),
            .list([]), .close(forward: 0, route: .blank), .closed(.blank),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .assigned: 1
            case .running: 2
            case .refused: 3
            case .list: 4
            case .close: 5
            case .closed: 6
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .assigned(var forward, var localPort):
                try fields.field(&forward)
                try fields.field(&localPort)
                self = .assigned(forward: forward, localPort: localPort)
            case .running(var forward, var localPort, var since):
                try fields.field(&forward)
                try fields.field(&localPort)
                try fields.field(&since)
                self = .running(forward: forward, localPort: localPort, since: since)
            case .refused(var refusal):
                try fields.field(&refusal)
                self = .refused(refusal)
            case .list(var entries):
                try fields.field(&entries, limit: ForwardEntry.maximumCount, blank: .blank) {
                    (entry, fields) throws(IPCError) in try entry.walk(&fields)
                }
                self = .list(entries)
            case .close(var forward, var route):
                try fields.field(&forward)
                try route.walk(&fields)
                self = .close(forward: forward, route: route)
            case .closed(var entry):
                try entry.walk(&fields)
                self = .closed(entry)
            }
        }
    }
}

extension ToSupervisor {
    /// Requests and reports about forwards.
    public enum Forwards: MessageSubject {
        /// Asks for a forward through this host of the config. With `localPort` 0 the supervisor chooses the port.
        case request(host: String, remoteHost: String, remotePort: UInt16, localPort: UInt16)
        /// The master has said that it listens for this forward. `masterPID` is 0 if it is not known.
        case established(forward: UInt32, masterPID: UInt32)
        /// The master does not listen for this forward.
        case failed(forward: UInt32, ForwardFailure)
        /// Asks which forwards there are.
        case list
        /// Ends a forward, by its number or, if that is 0, by its local port. If a host is named, it must be that of the forward.
        case cancel(forward: UInt32, localPort: UInt16, host: String)
        /// The master was asked to cancel this forward, and `ssh` said this. The worker does not know whether the forward is gone.
        case cancelled(forward: UInt32, said: String)

        /// See `MessageChoice`.
        public static let kinds: [Forwards] = [
            .request(host: "", remoteHost: "", remotePort: 0, localPort: 0), .established(forward: 0, masterPID: 0),
            .failed(forward: 0, .refused), .list, .cancel(forward: 0, localPort: 0, host: ""),
            .cancelled(forward: 0, said: ""),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .request: 1
            case .established: 2
            case .failed: 3
            case .list: 4
            case .cancel: 5
            case .cancelled: 6
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .request(var host, var remoteHost, var remotePort, var localPort):
                try fields.field(&host)
                try fields.field(&remoteHost)
                try fields.field(&remotePort)
                try fields.field(&localPort)
                self = .request(host: host, remoteHost: remoteHost, remotePort: remotePort, localPort: localPort)
            case .established(var forward, var masterPID):
                try fields.field(&forward)
                try fields.field(&masterPID)
                self = .established(forward: forward, masterPID: masterPID)
            case .failed(var forward, var failure):
                try fields.field(&forward)
                try fields.field(&failure)
                self = .failed(forward: forward, failure)
            case .list: break
            case .cancel(var forward, var localPort, var host):
                try fields.field(&forward)
                try fields.field(&localPort)
                try fields.field(&host)
                self = .cancel(forward: forward, localPort: localPort, host: host)
            case .cancelled(var forward, var said):
                try fields.field(&forward)
                try fields.field(&said)
                self = .cancelled(forward: forward, said: said)
            }
        }
    }
}
