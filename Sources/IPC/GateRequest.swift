/// Worker → gate, over their own channel. Each request has an id, which its answers repeat.
public enum GateRequest: IPCMessage {
    /// Bytes of a host's name, as the config bounds it.
    public static let maximumHostName = 100
    /// Sessions of one worker that are open, or about to be. A further one is answered with `SessionFailure.down`,
    /// `.unavailable` with EMFILE.
    public static let maximumSessions = 128

    /// Whether the ControlMaster of the host of this name lives.
    case alive(host: String)
    /// Opens a session with the subsystem `sftp` of this host. With it come three pipes: the ends that the session reads its
    /// input from, and writes its output and its errors to. Answered by `opened` or `notOpened`, and after `opened` by `ended`.
    /// `call` is the worker's number for the call that it is for: nothing is opened for one that has not begun, or has ended.
    case sftp(host: String, FileAccess, call: UInt32 = 0)
    /// Words of the command that the next requests of this id ask for, ahead of it: a packet has no room for all.
    case words(String)
    /// Opens a session that runs a command, see `GateCommand`, whose last words these are. Pipes and answers as for `sftp`; and
    /// `exited` comes before `ended` where the host tells a status.
    case exec(host: String, seconds: UInt32, nonce: String, words: String, call: UInt32 = 0)
    /// Judges such a command, before anything is done for it. Answered by `refused` or, where the policy allows it, by `master`:
    /// the next thing to know is whether its ControlMaster lives.
    case judge(host: String, seconds: UInt32, nonce: String, words: String, call: UInt32 = 0)
    /// Judges a port forward through this host. Answered by `refused` or `allowed`. The supervisor has it opened.
    case judgeForward(host: String, target: ForwardTarget, call: UInt32 = 0)
    /// Opens a session that runs one of the gate's own lines there. Pipes and answers as for `exec`.
    case errand(host: String, Errand)
    /// Opens a session with the files of this host by way of a shell there. Pipes and answers as for `exec`.
    case shell(host: String, ShellSession, call: UInt32 = 0)
    /// Asks for a ticket instead of the session: without pipes, because the `ssh` that shows the ticket brings them. Answered by
    /// `ticket` or `notOpened`, and after `ticket` as the session is.
    indirect case ticket(TicketRequest)
    /// Whether the shell that reads lines at this host takes `export`, as a command there has told. It has no answer: the gate sends
    /// shorter lines then, and where it is not true these fail.
    case exports(host: String, Bool)
    /// Ends the session that the request of this id has opened, or is to open. One that is over already is no mistake. Has no
    /// answer of its own.
    case close

    /// The messages that make it, in their order and under its id. The descriptors go with the last.
    public var packets: [GateRequest] {
        switch self {
        case .alive, .sftp, .shell, .close, .words, .errand, .judgeForward, .exports: return [self]
        case .exec(let host, let seconds, let nonce, let words, let call):
            let parts = GateCommand.parts(of: words)
            return parts.dropLast().map { .words($0) }
                + parts.suffix(1).map { .exec(host: host, seconds: seconds, nonce: nonce, words: $0, call: call) }
        case .judge(let host, let seconds, let nonce, let words, let call):
            let parts = GateCommand.parts(of: words)
            return parts.dropLast().map { .words($0) }
                + parts.suffix(1).map { .judge(host: host, seconds: seconds, nonce: nonce, words: $0, call: call) }
        case .ticket(let wanted):
            let packets = wanted.request.packets
            return packets.dropLast() + packets.suffix(1).map { .ticket(TicketRequest($0)) }
        }
    }

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .alive, .close, .words, .ticket, .judge, .judgeForward, .exports: 0
        case .sftp, .shell, .exec, .errand: 3
        }
    }

    /// See `IPCMessage`.
    public static var maximumDescriptors: Int { 3 }

    /// See `MessageChoice`.
    public static let kinds: [GateRequest] = [
        .alive(host: ""), .sftp(host: "", FileAccess(writes: false, base: nil)), .close, .words(""),
        .exec(host: "", seconds: 0, nonce: "", words: ""), .errand(host: "", .question),
        .shell(host: "", .requests),
        .ticket(TicketRequest(.errand(host: "", .question))),
        .judge(host: "", seconds: 0, nonce: "", words: ""), .judgeForward(host: "", target: .blank),
        .exports(host: "", false),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .alive: 1
        case .sftp: 2
        case .close: 3
        case .words: 4
        case .exec: 5
        case .errand: 6
        case .shell: 7
        case .ticket: 16
        case .judge: 8
        case .judgeForward: 9
        case .exports: 11
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .alive(var host):
            try fields.field(&host, limit: Self.maximumHostName)
            self = .alive(host: host)
        case .sftp(var host, var access, var call):
            try fields.field(&host, limit: Self.maximumHostName)
            try access.walk(&fields)
            try fields.field(&call)
            self = .sftp(host: host, access, call: call)
        case .close: break
        case .exports(var host, var exports):
            try fields.field(&host, limit: Self.maximumHostName)
            try fields.field(&exports)
            self = .exports(host: host, exports)
        case .words(var words):
            try fields.field(&words)
            self = .words(words)
        case .exec(var host, var seconds, var nonce, var words, var call):
            try Self.walk(&host, &seconds, &nonce, &words, &call, &fields)
            self = .exec(host: host, seconds: seconds, nonce: nonce, words: words, call: call)
        case .judge(var host, var seconds, var nonce, var words, var call):
            try Self.walk(&host, &seconds, &nonce, &words, &call, &fields)
            self = .judge(host: host, seconds: seconds, nonce: nonce, words: words, call: call)
        case .judgeForward(var host, var target, var call):
            try fields.field(&host, limit: Self.maximumHostName)
            try fields.field(&target)
            try fields.field(&call)
            self = .judgeForward(host: host, target: target, call: call)
        case .errand(var host, var errand):
            try fields.field(&host, limit: Self.maximumHostName)
            try fields.field(&errand)
            self = .errand(host: host, errand)
        case .shell(var host, var session, var call):
            try fields.field(&host, limit: Self.maximumHostName)
            try fields.field(&session)
            try fields.field(&call)
            self = .shell(host: host, session, call: call)
        case .ticket(var wanted):
            try fields.field(&wanted)
            self = .ticket(wanted)
        }
    }

    private static func walk(
        _ host: inout String, _ seconds: inout UInt32, _ nonce: inout String, _ words: inout String,
        _ call: inout UInt32, _ fields: inout MessageFields
    ) throws(IPCError) {
        try fields.field(&host, limit: maximumHostName)
        try fields.field(&seconds)
        try fields.field(&nonce, limit: Nonce.maximumSize)
        try fields.field(&words)
        try fields.field(&call)
    }
}
