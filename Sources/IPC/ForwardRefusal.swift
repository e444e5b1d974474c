/// Why a request about a forward is refused or has failed. The worker makes the sentence.
public enum ForwardRefusal: MessageChoice {
    /// The daemon stops.
    case stopping
    /// The config does not have the host, or does not allow forwards through it.
    case notAllowed(host: String)
    /// The target is no host and port.
    case noTarget
    /// There are `ForwardEntry.maximumCount` already.
    case tooMany
    /// Another forward has the port.
    case portOfForward(localPort: UInt16, forward: UInt32)
    /// Another program has the port.
    case portTaken(localPort: UInt16)
    /// No port could be found.
    case noPort
    /// The names of the host's ControlMaster are too long.
    case namesTooLong(host: String)
    /// The forward could not be written down in this file or directory.
    case notWritten(path: String, errno: UInt32)
    /// The forward could not be written down, because others may write into this directory.
    case notWrittenAmongOthers(directory: String)
    /// The host may no longer carry forwards. This forward is closed again.
    case allowedNoMore(host: String)
    /// The worker reported that the master listens, but it does not.
    case notListening(host: String, localPort: UInt16)
    /// The master could not listen on this port. The request may have named it, or the supervisor chosen it.
    case notOpened(host: String, localPort: UInt16, wasNamed: Bool)
    /// No master has heard of it.
    case masterDown(host: String, MasterDown)
    /// The master did not answer in time. If it still opens the port, that is closed again.
    case masterSilent(host: String)
    /// There is no forward with this number or, if that is 0, with this local port, or it belongs to another host than the one
    /// that is named.
    case noSuchForward(forward: UInt32, localPort: UInt16, host: String)
    /// The forward is being made or closed now.
    case busy(forward: UInt32)
    /// The master has not cancelled it: this came of it.
    case stillOpen(forward: UInt32, ForwardOutcome, route: ForwardRoute)
    /// The call that it is for has not begun, or has ended.
    case noCall

    /// See `MessageChoice`.
    public static let kinds: [ForwardRefusal] = [
        .stopping, .notAllowed(host: ""), .noTarget, .tooMany, .portOfForward(localPort: 0, forward: 0),
        .portTaken(localPort: 0), .noPort, .namesTooLong(host: ""), .notWritten(path: "", errno: 0),
        .notWrittenAmongOthers(directory: ""), .allowedNoMore(host: ""),
        .notListening(host: "", localPort: 0), .notOpened(host: "", localPort: 0, wasNamed: false),
        .masterDown(host: "", .hung), .masterSilent(host: ""), .noSuchForward(forward: 0, localPort: 0, host: ""),
        .busy(forward: 0), .stillOpen(forward: 0, .closed, route: .blank), .noCall,
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .stopping: 1
        case .notAllowed: 2
        case .noTarget: 3
        case .tooMany: 4
        case .portOfForward: 5
        case .portTaken: 6
        case .noPort: 7
        case .namesTooLong: 8
        case .notWritten: 9
        case .allowedNoMore: 10
        case .notListening: 11
        case .notOpened: 12
        case .masterDown: 13
        case .masterSilent: 14
        case .noSuchForward: 15
        case .busy: 16
        case .stillOpen: 17
        case .notWrittenAmongOthers: 18
        case .noCall: 19
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .stopping, .noTarget, .tooMany, .noPort, .noCall: break
        case .notAllowed(var host):
            try fields.field(&host)
            self = .notAllowed(host: host)
        case .portOfForward(var localPort, var forward):
            try fields.field(&localPort)
            try fields.field(&forward)
            self = .portOfForward(localPort: localPort, forward: forward)
        case .portTaken(var localPort):
            try fields.field(&localPort)
            self = .portTaken(localPort: localPort)
        case .namesTooLong(var host):
            try fields.field(&host)
            self = .namesTooLong(host: host)
        case .notWritten(var path, var errno):
            try fields.field(&path)
            try fields.field(&errno)
            self = .notWritten(path: path, errno: errno)
        case .notWrittenAmongOthers(var directory):
            try fields.field(&directory)
            self = .notWrittenAmongOthers(directory: directory)
        case .allowedNoMore(var host):
            try fields.field(&host)
            self = .allowedNoMore(host: host)
        case .notListening(var host, var localPort):
            try fields.field(&host)
            try fields.field(&localPort)
            self = .notListening(host: host, localPort: localPort)
        case .notOpened(var host, var localPort, var wasNamed):
            try fields.field(&host)
            try fields.field(&localPort)
            try fields.field(&wasNamed)
            self = .notOpened(host: host, localPort: localPort, wasNamed: wasNamed)
        case .masterDown(var host, var why):
            try fields.field(&host)
            try fields.field(&why)
            self = .masterDown(host: host, why)
        case .masterSilent(var host):
            try fields.field(&host)
            self = .masterSilent(host: host)
        case .noSuchForward(var forward, var localPort, var host):
            try fields.field(&forward)
            try fields.field(&localPort)
            try fields.field(&host)
            self = .noSuchForward(forward: forward, localPort: localPort, host: host)
        case .busy(var forward):
            try fields.field(&forward)
            self = .busy(forward: forward)
        case .stillOpen(var forward, var outcome, var route):
            try fields.field(&forward)
            try fields.field(&outcome)
            try route.walk(&fields)
            self = .stillOpen(forward: forward, outcome, route: route)
        }
    }
}
