/// What a gate lets through to a host, or refuses, as it will be written down: the texts are those that the gate composes from, not
/// what a worker says of them.
public struct GateReport: Equatable, Sendable {
    /// What is opened, or asked for.
    public enum Subject: MessageChoice {
        /// A session that runs a command: the command, its directory, and the names of its variables.
        case command([AuditCall.Field])
        /// A session with the host's files by SFTP, which may change something or not.
        case files(writes: Bool)
        /// A session with the host's files by way of a shell, which the gate does not look into; or one that takes the content of
        /// the file of this path.
        case shell([AuditCall.Field])
        /// A session that runs a line of the gate's own.
        case errand(ErrandKind)
        /// A port forward to this host and port.
        case forward([AuditCall.Field])

        /// See `MessageChoice`.
        public static let kinds: [Subject] = [
            .command([]), .files(writes: false), .shell([]), .errand(.stop), .forward([]),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .command: 1
            case .files: 2
            case .errand: 3
            case .forward: 4
            case .shell: 5
            }
        }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .command(var list):
                try AuditCall.Field.walk(&list, &fields)
                self = .command(list)
            case .files(var writes):
                try fields.field(&writes)
                self = .files(writes: writes)
            case .shell(var list):
                try AuditCall.Field.walk(&list, &fields)
                self = .shell(list)
            case .errand(var kind):
                try fields.field(&kind)
                self = .errand(kind)
            case .forward(var list):
                try AuditCall.Field.walk(&list, &fields)
                self = .forward(list)
            }
        }
    }

    /// The host's name in the config.
    public var host: String
    /// The worker's number for the call that this is for. Nothing of a worker's is in an errand, so it is for no call.
    public var call: UInt32
    /// What it is about.
    public var subject: Subject

    /// A report.
    public init(host: String, call: UInt32, _ subject: Subject) {
        self.host = host
        self.call = call
        self.subject = subject
    }

    /// Of a command.
    public init(_ command: GateCommand) {
        var fields = [AuditCall.Field(.command, command.command)]
        if !command.directory.isEmpty { fields.append(AuditCall.Field(.cwd, command.directory)) }
        fields += AuditCall.Field.variables(Array(command.environment.keys))
        self.init(host: command.host, call: command.call, .command(fields))
    }

    /// Of a session over a shell.
    public init(host: String, call: UInt32, _ session: ShellSession) {
        let fields: [AuditCall.Field] =
            switch session {
            case .requests: []
            case .content(_, let path, _): [AuditCall.Field(.path, String(decoding: path, as: UTF8.self))]
            }
        self.init(host: host, call: call, .shell(fields))
    }

    /// A blank one, to read a packet into.
    static let blank = GateReport(host: "", call: 0, .files(writes: false))

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&host, limit: GateRequest.maximumHostName)
        try fields.field(&call)
        try fields.field(&subject)
    }
}
