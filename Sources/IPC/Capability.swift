/// What the config lets tools do on a host.
public enum Capability: UInt8, CaseIterable, MessageChoice {
    case exec = 1
    case fileRead = 2
    case fileWrite = 3
    case portForward = 4

    /// Its key under `capabilities`.
    public var key: String {
        switch self {
        case .exec: "exec"
        case .fileRead: "file_read"
        case .fileWrite: "file_write"
        case .portForward: "port_forward"
        }
    }

    /// Whether it is on.
    public func isOn(_ capabilities: PolicySnapshot.Capabilities) -> Bool {
        switch self {
        case .exec: capabilities.exec
        case .fileRead: capabilities.fileRead
        case .fileWrite: capabilities.fileWrite
        case .portForward: capabilities.portForward
        }
    }
}
