internal import IPC

/// What the config lets tools do on a host, by its key under `capabilities`.
enum Capability: String {
    case exec
    case fileRead = "file_read"
    case fileWrite = "file_write"
    case portForward = "port_forward"

    func isOn(_ capabilities: PolicySnapshot.Capabilities) -> Bool {
        switch self {
        case .exec: capabilities.exec
        case .fileRead: capabilities.fileRead
        case .fileWrite: capabilities.fileWrite
        case .portForward: capabilities.portForward
        }
    }
}
