/// Supervisor → gate.
public enum ToGate: IPCMessage {
    /// The first message, with the sealed `PolicySnapshot`, and its number. `transport` is that of the worker, which may be older
    /// than the policy.
    case setup(policy: UInt32, transport: Transport = .mux)
    /// The policy has changed, with the new one and its number. What is under way ends under the old one.
    case policy(UInt32)
    /// The connection that was asked for.
    case connected
    /// There is none.
    case notConnected(ConnectFailure)
    /// Have a ControlMaster open or close a forward, over this connection to it. The answer repeats the number of this message.
    case forward(ForwardOrder)
    /// With `"transport": "ssh"`: the other end of what a process of the worker has connected.
    case sshConnection
    /// The refusal with the number of this message is written down, or the session is, and may be opened.
    case noted

    /// See `MessageSubject`.
    public var descriptorCount: Int {
        switch self {
        case .setup, .policy, .connected, .forward, .sshConnection: 1
        case .notConnected, .noted: 0
        }
    }

    /// See `MessageChoice`.
    public static let kinds: [ToGate] = [
        .setup(policy: 0, transport: .mux), .policy(0), .connected, .notConnected(.hung), .forward(.close(.blank)),
        .sshConnection,
        .noted,
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .setup: 1
        case .policy: 2
        case .connected: 3
        case .notConnected: 4
        case .forward: 5
        case .sshConnection: 16
        case .noted: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .setup(var policy, var transport):
            try fields.field(&policy)
            try fields.field(&transport)
            self = .setup(policy: policy, transport: transport)
        case .policy(var number):
            try fields.field(&number)
            self = .policy(number)
        case .notConnected(var failure):
            try fields.field(&failure)
            self = .notConnected(failure)
        case .forward(var order):
            try fields.field(&order)
            self = .forward(order)
        case .connected, .sshConnection, .noted: break
        }
    }
}

/// Why a gate gets no connection to a ControlMaster.
public enum ConnectFailure: MessageChoice {
    /// Nobody listens there: connect(2) fails with this errno.
    case dead(errno: UInt32, MasterSocket)
    /// Whoever listens there takes no connections, or the file system of the path does not answer.
    case hung
    /// Another user, who is not root either, listens there.
    case foreign(userID: UInt32)
    /// The request was made under another policy than the one that is in force, which the gate has by now.
    case otherPolicy
    /// This machine lacks what that takes, with this errno.
    case unavailable(errno: UInt32)
    /// The call that the session is for has not begun, or has ended.
    case noCall

    /// See `MessageChoice`.
    public static let kinds: [ConnectFailure] = [
        .dead(errno: 0, .absent), .hung, .foreign(userID: 0), .otherPolicy, .unavailable(errno: 0), .noCall,
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .dead: 1
        case .hung: 2
        case .foreign: 3
        case .otherPolicy: 4
        case .unavailable: 5
        case .noCall: 6
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .dead(var errno, var place):
            try fields.field(&errno)
            try fields.field(&place)
            self = .dead(errno: errno, place)
        case .foreign(var userID):
            try fields.field(&userID)
            self = .foreign(userID: userID)
        case .unavailable(var errno):
            try fields.field(&errno)
            self = .unavailable(errno: errno)
        case .hung, .otherPolicy, .noCall: break
        }
    }

    /// What it says of the master; nil where it says nothing.
    public var down: MasterDown? {
        switch self {
        case .dead(let errno, let place): .dead(errno: errno, place)
        case .hung: .hung
        case .foreign(let userID): .foreign(userID: userID)
        case .unavailable(let errno): .unavailable(errno: errno)
        case .otherPolicy, .noCall: nil
        }
    }
}

/// Gate → supervisor: numbers, and the texts of `GateReport`, which are for the audit log alone. Never a descriptor.
public enum FromGate: IPCMessage {
    /// Requests for connections that one gate may have open.
    public static let maximumConnects = 16
    /// Connections of `ssh` that one gate may have been given without having taken notice of them.
    public static let maximumSSHConnections = 16

    /// The gate is confined and about to read its first request. `landlockABI` is 0 where the kernel has none.
    case ready(landlockABI: UInt8)
    /// Connect to the ControlMaster of this host, by its index in the policy of this number, to ask whether it lives. The gate may
    /// keep the connection for a short while.
    case connect(host: UInt32, policy: UInt32)
    /// Connect to it for a session. The supervisor writes this down, and connects only for a call that is open.
    case open(GateReport, host: UInt32, policy: UInt32)
    /// The policy does not allow this. It is written down, and the answer is `noted`.
    case refused(GateReport, PolicyRule)
    /// A session is to be opened over a connection that the gate has kept, by the policy of this number. As for `open`, the
    /// supervisor writes it down, and admits it only for a call that is open. The answer is `noted` or `notConnected`.
    case admit(GateReport, policy: UInt32)
    /// A host has opened a session for the worker, over a connection that the supervisor gave. The host as in `connect`.
    case opened(SessionKind, host: UInt32, policy: UInt32)
    /// The worker did what no honest one does. The gate hears no more of it and has ended its sessions.
    case violation(WorkerViolation)
    /// What came of the order with the number of this message.
    case forward(ForwardOutcome)
    /// The gate has a connection of `ssh` that it was given.
    case sshConnected
    /// The gate judges by the policy of this number from now on.
    case policyTaken(UInt32)

    /// See `MessageSubject`.
    public var descriptorCount: Int { 0 }

    /// See `IPCMessage`.
    public static var maximumDescriptors: Int { 0 }

    /// See `MessageChoice`.
    public static let kinds: [FromGate] = [
        .ready(landlockABI: 0), .connect(host: 0, policy: 0), .opened(.sftp, host: 0, policy: 0),
        .violation(.message), .forward(.closed), .sshConnected, .open(.blank, host: 0, policy: 0),
        .refused(.blank, .capability), .admit(.blank, policy: 0), .policyTaken(0),
    ]

    /// See `MessageChoice`.
    public var number: UInt8 {
        switch self {
        case .ready: 1
        case .connect: 2
        case .opened: 3
        case .violation: 4
        case .forward: 5
        case .sshConnected: 16
        case .open: 6
        case .refused: 7
        case .admit: 8
        case .policyTaken: 9
        }
    }

    /// See `MessageChoice`.
    public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        switch self {
        case .ready(var landlockABI):
            try fields.field(&landlockABI)
            self = .ready(landlockABI: landlockABI)
        case .connect(var host, var policy):
            try fields.field(&host)
            try fields.field(&policy)
            self = .connect(host: host, policy: policy)
        case .opened(var kind, var host, var policy):
            try fields.field(&kind)
            try fields.field(&host)
            try fields.field(&policy)
            self = .opened(kind, host: host, policy: policy)
        case .open(var report, var host, var policy):
            try report.walk(&fields)
            try fields.field(&host)
            try fields.field(&policy)
            self = .open(report, host: host, policy: policy)
        case .refused(var report, var rule):
            try report.walk(&fields)
            try fields.field(&rule)
            self = .refused(report, rule)
        case .admit(var report, var policy):
            try report.walk(&fields)
            try fields.field(&policy)
            self = .admit(report, policy: policy)
        case .policyTaken(var policy):
            try fields.field(&policy)
            self = .policyTaken(policy)
        case .violation(var what):
            try fields.field(&what)
            self = .violation(what)
        case .forward(var outcome):
            try fields.field(&outcome)
            self = .forward(outcome)
        case .sshConnected: break
        }
    }
}

/// What a session of a host is for.
public enum SessionKind: UInt8, CaseIterable, MessageChoice {
    /// The host's files: its sshd's subsystem `sftp`.
    case sftp = 1
    /// A command.
    case command = 2
    /// A line of the gate's own.
    case errand = 3
    /// The host's files by way of a shell.
    case shell = 4
}

/// What no honest worker does.
public enum WorkerViolation: UInt8, CaseIterable, MessageChoice {
    /// It sent its gate a packet that is no message of the protocol.
    case message = 1
    /// It gave a session a descriptor that is no pipe.
    case descriptor = 2
    /// It gave a session the number of one that it has.
    case number = 3
    /// It sent what no worker sends on an SFTP channel whose requests are judged.
    case request = 4
    /// It asked there to change something, and the host's `file_write` is off.
    case writing = 5
    /// It named a path there that is not in the host's `base_dir`.
    case outside = 6
    /// It sent words that no command has, or something else than the command that they belong to.
    case words = 7
    /// It asked for a session by another transport than it was started with.
    case transport = 16
    /// Its `ssh` showed a ticket that the gate has not given, or has given for something else, or was shown before.
    case ticket = 17
    /// Its `ssh`, or what it executed in its place, asked for what no session needs, or broke the protocol.
    case mux = 18
    /// It has more connections than its sessions can have.
    case connections = 19
}
