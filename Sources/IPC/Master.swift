/// A ControlMaster, as the config names it: where its socket is, and who logs in where through it.
public struct Master: Codable, Hashable, Sendable {
    /// Absolute path of its socket.
    public var socket: String
    /// Login name.
    public var user: String
    /// Host name or address, as the user's `ssh` names it.
    public var address: String

    /// A master.
    public init(socket: String, user: String, address: String) {
        self.socket = socket
        self.user = user
        self.address = address
    }

    /// What `ssh` takes for the destination.
    public var destination: String { "\(user)@\(address)" }

    /// The argument of `-S`, ssh(1): `ssh` expands the tokens of ssh_config(5) in it once more, so a percent sign is doubled.
    /// `${NAME}` cannot be escaped; the config refuses it.
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
