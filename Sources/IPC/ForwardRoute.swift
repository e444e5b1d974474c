/// Where one local forward of a ControlMaster listens, and where it leads.
public struct ForwardRoute: Codable, Equatable, Sendable {
    /// The master that listens.
    public var master: Master
    /// The port on 127.0.0.1.
    public var localPort: UInt16
    /// Where it leads.
    public var target: ForwardTarget

    /// A route.
    public init(master: Master, localPort: UInt16, target: ForwardTarget) {
        self.master = master
        self.localPort = localPort
        self.target = target
    }

    /// The argument of `-L`, ssh(1). It names 127.0.0.1, so that the master listens there whatever `GatewayPorts` says.
    public var specification: String { "127.0.0.1:\(localPort):\(target.specification)" }

    /// The command line with which a person has the master cancel the forward.
    public var cancelCommand: String {
        "ssh -O cancel -S \(ShellWord.quoted(master.controlPath)) -L \(ShellWord.quoted(specification)) "
            + ShellWord.quoted(master.destination)
    }

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try master.walk(&fields)
        try fields.field(&localPort)
        try fields.field(&target)
    }

    static let blank = ForwardRoute(master: .blank, localPort: 0, target: .blank)

    private enum CodingKeys: String, CodingKey {
        case localPort, remoteHost, remotePort, remoteSocket
    }

    /// Reads the members of the master from the same object as the others.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        master = try Master(from: decoder)
        localPort = try values.decode(UInt16.self, forKey: .localPort)
        // Files of version 3.0 know hosts and ports alone.
        if let path = try values.decodeIfPresent(String.self, forKey: .remoteSocket) {
            target = .unix(path: path)
        } else {
            target = .tcp(
                host: try values.decode(String.self, forKey: .remoteHost),
                port: try values.decode(UInt16.self, forKey: .remotePort))
        }
    }

    /// Writes what `init(from:)` reads.
    public func encode(to encoder: any Encoder) throws {
        try master.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(localPort, forKey: .localPort)
        switch target {
        case .tcp(let host, let port):
            try values.encode(host, forKey: .remoteHost)
            try values.encode(port, forKey: .remotePort)
        case .unix(let path): try values.encode(path, forKey: .remoteSocket)
        }
    }
}
