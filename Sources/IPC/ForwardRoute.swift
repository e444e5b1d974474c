/// Where one local forward of a ControlMaster listens, and where it leads.
public struct ForwardRoute: Codable, Equatable, Sendable {
    /// The master that listens.
    public var master: Master
    /// The port on 127.0.0.1.
    public var localPort: UInt16
    /// The target's name or address, which the remote host resolves; IPv6 without brackets.
    public var remoteHost: String
    /// The target's port.
    public var remotePort: UInt16

    /// A route.
    public init(master: Master, localPort: UInt16, remoteHost: String, remotePort: UInt16) {
        self.master = master
        self.localPort = localPort
        self.remoteHost = remoteHost
        self.remotePort = remotePort
    }

    /// The argument of `-L`, ssh(1). It names 127.0.0.1, so that the master listens there whatever `GatewayPorts` says.
    public var specification: String {
        let host = remoteHost.contains(":") ? "[\(remoteHost)]" : remoteHost
        return "127.0.0.1:\(localPort):\(host):\(remotePort)"
    }

    /// The command line with which a person has the master cancel the forward.
    public var cancelCommand: String {
        "ssh -O cancel -S \(ShellWord.quoted(master.controlPath)) -L \(ShellWord.quoted(specification)) "
            + ShellWord.quoted(master.destination)
    }

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try master.walk(&fields)
        try fields.field(&localPort)
        try fields.field(&remoteHost)
        try fields.field(&remotePort)
    }

    static let blank = ForwardRoute(master: .blank, localPort: 0, remoteHost: "", remotePort: 0)

    private enum CodingKeys: String, CodingKey {
        case localPort, remoteHost, remotePort
    }

    /// Reads the members of the master from the same object as the others.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        master = try Master(from: decoder)
        localPort = try values.decode(UInt16.self, forKey: .localPort)
        remoteHost = try values.decode(String.self, forKey: .remoteHost)
        remotePort = try values.decode(UInt16.self, forKey: .remotePort)
    }

    /// Writes what `init(from:)` reads.
    public func encode(to encoder: any Encoder) throws {
        try master.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(localPort, forKey: .localPort)
        try values.encode(remoteHost, forKey: .remoteHost)
        try values.encode(remotePort, forKey: .remotePort)
    }
}
