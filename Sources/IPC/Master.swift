/// A ControlMaster, as the config names it: its socket, and the user and host of its connection.
public struct Master: Codable, Hashable, Sendable {
    /// The absolute path of its socket.
    public var socket: String
    /// The login name.
    public var user: String
    /// The host's name or address, as the user's `ssh` knows it.
    public var address: String

    /// A master.
    public init(socket: String, user: String, address: String) {
        self.socket = socket
        self.user = user
        self.address = address
    }

    /// The destination for `ssh`, `user@host`.
    public var destination: String { "\(user)@\(address)" }

    /// The argument of `-S`, ssh(1). `ssh` expands the tokens of ssh_config(5) in it, so each percent sign is doubled. `${NAME}`
    /// cannot be escaped, and the config refuses it.
    public var controlPath: String {
        var escaped = ""
        for scalar in socket.unicodeScalars {
            if scalar == "%" { escaped.unicodeScalars.append("%") }
            escaped.unicodeScalars.append(scalar)
        }
        return escaped
    }

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&socket)
        try fields.field(&user)
        try fields.field(&address)
    }

    static let blank = Master(socket: "", user: "", address: "")
}
