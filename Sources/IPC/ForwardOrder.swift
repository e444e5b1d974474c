/// What a gate is to have a ControlMaster do. The connection to that master comes with the order.
public enum ForwardOrder: MessageChoice {
    /// Listen for this route, of the host of this name.
    case open(host: String, ForwardRoute)
    /// Listen for it no more. Any gate may be given this: the host may be in no policy any more.
    case close(ForwardRoute)

    /// Where the port listens and where it leads.
    public var route: ForwardRoute {
        switch self {
        case .open(_, let route), .close(let route): route
        }
    }

    /// See `MessageChoice`.
    public static let kinds: [ForwardOrder] = [.open(host: "", .blank), .close(.blank)]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .open: 1
        case .close: 2
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .open(var host, var route):
            try fields.field(&host, limit: GateRequest.maximumHostName)
            try route.walk(&fields)
            self = .open(host: host, route)
        case .close(var route):
            try route.walk(&fields)
            self = .close(route)
        }
    }
}
