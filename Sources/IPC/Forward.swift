internal import Glibc

/// One local forward of a ControlMaster: whose it is, where it listens and where it leads.
public struct ForwardRoute: Codable, Equatable, Sendable {
    /// Who listens.
    public var master: Master
    /// The port on 127.0.0.1.
    public var localPort: UInt16
    /// Host name or address, resolved on the remote host; IPv6 without brackets.
    public var remoteHost: String
    /// The port there.
    public var remotePort: UInt16

    /// A route.
    public init(master: Master, localPort: UInt16, remoteHost: String, remotePort: UInt16) {
        self.master = master
        self.localPort = localPort
        self.remoteHost = remoteHost
        self.remotePort = remotePort
    }

    /// The argument of `-L`, ssh(1). With its address written out it binds 127.0.0.1 whatever `GatewayPorts` says.
    public var specification: String {
        let host = remoteHost.contains(":") ? "[\(remoteHost)]" : remoteHost
        return "127.0.0.1:\(localPort):\(host):\(remotePort)"
    }

    /// What a person types to have the master release it.
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

    /// The members of the master stand beside the others.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        master = try Master(from: decoder)
        localPort = try values.decode(UInt16.self, forKey: .localPort)
        remoteHost = try values.decode(String.self, forKey: .remoteHost)
        remotePort = try values.decode(UInt16.self, forKey: .remotePort)
    }

    /// As `init(from:)` has it.
    public func encode(to encoder: any Encoder) throws {
        try master.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(localPort, forKey: .localPort)
        try values.encode(remoteHost, forKey: .remoteHost)
        try values.encode(remotePort, forKey: .remotePort)
    }
}

/// A forward as the supervisor lists it.
public struct ForwardEntry: Equatable, Sendable {
    /// Its number, `forward_id`.
    public var forward: UInt32
    /// The host's name in the config.
    public var host: String
    /// The port on 127.0.0.1.
    public var localPort: UInt16
    /// Host name or address on the remote side.
    public var remoteHost: String
    /// The port there.
    public var remotePort: UInt16
    /// When it was made, seconds since 1970.
    public var since: UInt64
    /// What is wrong with it; nil while its listener is there.
    public var trouble: ForwardTrouble?

    /// An entry.
    public init(
        forward: UInt32, host: String, localPort: UInt16, remoteHost: String, remotePort: UInt16, since: UInt64,
        trouble: ForwardTrouble? = nil
    ) {
        self.forward = forward
        self.host = host
        self.localPort = localPort
        self.remoteHost = remoteHost
        self.remotePort = remotePort
        self.since = since
        self.trouble = trouble
    }

    /// Entries in one message: all of them fit into one packet.
    public static let maximumCount: UInt8 = 64

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&forward)
        try fields.field(&host)
        try fields.field(&localPort)
        try fields.field(&remoteHost)
        try fields.field(&remotePort)
        try fields.field(&since)
        try fields.field(&trouble, blank: .closing) { (trouble, fields) throws(IPCError) in try fields.field(&trouble) }
    }

    static let blank = ForwardEntry(
        forward: 0, host: "", localPort: 0, remoteHost: "", remotePort: 0, since: 0)
}

/// How `ssh -O forward` came to nothing.
public enum ForwardFailure: UInt8, CaseIterable, MessageChoice {
    /// The master answers and did not open the port.
    case refused
    /// No master took the request.
    case masterDead
    /// There was no answer in time: the port may be opened yet.
    case unknown
}

/// Names of hosts behind a forward, and the entries of `forward_allowlist`.
public struct ForwardRule: Equatable, Sendable {
    /// Lower-cased, without brackets; `*` for any.
    public let host: String
    /// nil for any.
    public let port: UInt16?

    /// Reads `db.internal:5432`, `*:443`, `db.internal:*` or `[::1]:80`; nil for anything else.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let name = String(text[..<colon])
        let number = text[text.index(after: colon)...]
        guard number == "*" || UInt16(number).map({ $0 > 0 && number.first != "+" }) == true else { return nil }
        let bracketed = name.hasPrefix("[") && name.hasSuffix("]")
        let bare = bracketed ? String(name.dropFirst().dropLast()) : name
        guard name == "*" || (Self.isHost(bare) && bare.contains(":") == bracketed) else { return nil }
        host = bare.lowercased()
        port = UInt16(number)
    }

    /// Whether a text can be a host name or an address, IPv6 without brackets: what reaches a command line of `ssh`.
    /// Bounded, and without spaces, slashes, brackets, `@` and a leading `-`. RFC 1123 section 2.1, and underscores.
    public static func isHost(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...253).contains(bytes.count), bytes.first != UInt8(ascii: "-"), !bytes.contains(0) else {
            return false
        }
        var address = in6_addr()
        if bytes.contains(UInt8(ascii: ":")) { return inet_pton(AF_INET6, text, &address) == 1 }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
