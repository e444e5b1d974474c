/// Says that the policy does not allow a request: which rule refuses it, on which host. The worker puts it into words.
public struct GateRefusal: Error, Equatable, Sendable {
    /// The host's name in the config.
    public var host: String
    /// The rule, and what it refuses.
    public var reason: Reason

    /// A refusal on this host.
    public init(host: String, _ reason: Reason) {
        self.host = host
        self.reason = reason
    }

    /// A blank one, to read a packet into.
    static let blank = GateRefusal(host: "", .allowlistEmpty)

    /// Walks over its fields.
    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&host, limit: GateRequest.maximumHostName)
        try fields.field(&reason)
    }

    /// Characters that are shown of a part of a command; bytes that travel of it.
    public static let shown = 200
    static let shownBytes = 4 * shown
    /// Entries of a list that travel with a refusal, and bytes of each.
    public static let shownEntries = 20
    static let entryBytes = 1024

    /// A rule of the policy, and what it refuses.
    public enum Reason: MessageChoice {
        /// The capability is off on this host, and on for another one.
        case capability(Capability)
        /// `exec_allowlist` has no entry.
        case allowlistEmpty
        /// The variable of this name could turn an allowed command into another one.
        case variable(name: String)
        /// It is not certain what would run.
        case doubt(ShellDoubt)
        /// There is no command.
        case noCommand
        /// The redirection of the command may write a file or open a connection.
        case redirection(operation: String, target: String, command: String)
        /// The program, a builtin of shells, could make other commands run.
        case builtin(program: String, command: String)
        /// A `printf` that could set a variable.
        case printf(command: String)
        /// The variable that the command sets could turn it into another one. `beginning` is what the list would have to cover.
        case assignment(name: String, command: String, beginning: String)
        /// The list does not cover the command, which is to change the directory or not. It has these entries, and `more` others.
        case notCovered(command: String, beginning: String, isChange: Bool, entries: [String], more: UInt32)
        /// The command has this in it, which deletes. What cannot be read to its end is searched for words alone.
        case deletes(found: String, isUnreadable: Bool)
        /// The host has this `base_dir`, and the command no working directory.
        case noDirectory(base: String)
        /// The path is not in the host's `base_dir`.
        case outside(base: String, path: String)
        /// `forward_allowlist` does not cover the target. It has these entries, and `more` others.
        case forward(target: ForwardTarget, entries: [String], more: UInt32)
        /// The target is link-local or a metadata service, which `forward_allowlist` does not name.
        case linkLocal(target: String)
        /// The host has no `forward_allowlist`, which alone allows a Unix socket.
        case socketTarget(path: String)

        /// See `MessageChoice`.
        public static let kinds: [Reason] = [
            .capability(.exec), .allowlistEmpty, .variable(name: ""), .doubt(.length), .noCommand,
            .redirection(operation: "", target: "", command: ""), .builtin(program: "", command: ""),
            .printf(command: ""), .assignment(name: "", command: "", beginning: ""),
            .notCovered(command: "", beginning: "", isChange: false, entries: [], more: 0),
            .deletes(found: "", isUnreadable: false), .noDirectory(base: ""), .outside(base: "", path: ""),
            .forward(target: .blank, entries: [], more: 0), .linkLocal(target: ""), .socketTarget(path: ""),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .capability: 1
            case .allowlistEmpty: 2
            case .variable: 3
            case .doubt: 4
            case .noCommand: 5
            case .redirection: 6
            case .builtin: 7
            case .printf: 8
            case .assignment: 9
            case .notCovered: 10
            case .deletes: 11
            case .noDirectory: 12
            case .outside: 13
            case .forward: 14
            case .linkLocal: 15
            case .socketTarget: 16
            }
        }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .allowlistEmpty, .noCommand: break
            case .capability(var capability):
                try fields.field(&capability)
                self = .capability(capability)
            case .variable(var name):
                try fields.field(&name, limit: shownBytes)
                self = .variable(name: name)
            case .doubt(var doubt):
                try fields.field(&doubt)
                self = .doubt(doubt)
            case .redirection(var operation, var target, var command):
                try fields.field(&operation, limit: shownBytes)
                try fields.field(&target, limit: shownBytes)
                try fields.field(&command, limit: shownBytes)
                self = .redirection(operation: operation, target: target, command: command)
            case .builtin(var program, var command):
                try fields.field(&program, limit: shownBytes)
                try fields.field(&command, limit: shownBytes)
                self = .builtin(program: program, command: command)
            case .printf(var command):
                try fields.field(&command, limit: shownBytes)
                self = .printf(command: command)
            case .assignment(var name, var command, var beginning):
                try fields.field(&name, limit: shownBytes)
                try fields.field(&command, limit: shownBytes)
                try fields.field(&beginning, limit: shownBytes)
                self = .assignment(name: name, command: command, beginning: beginning)
            case .notCovered(var command, var beginning, var isChange, var entries, var more):
                try fields.field(&command, limit: shownBytes)
                try fields.field(&beginning, limit: shownBytes)
                try fields.field(&isChange)
                try Self.walk(&entries, &fields)
                try fields.field(&more)
                self = .notCovered(
                    command: command, beginning: beginning, isChange: isChange, entries: entries, more: more)
            case .deletes(var found, var isUnreadable):
                try fields.field(&found, limit: shownBytes)
                try fields.field(&isUnreadable)
                self = .deletes(found: found, isUnreadable: isUnreadable)
            case .noDirectory(var base):
                try fields.field(&base, limit: Frame.maximumPath)
                self = .noDirectory(base: base)
            case .outside(var base, var path):
                try fields.field(&base, limit: Frame.maximumPath)
                try fields.field(&path, limit: shownBytes)
                self = .outside(base: base, path: path)
            case .forward(var target, var entries, var more):
                try fields.field(&target)
                try Self.walk(&entries, &fields)
                try fields.field(&more)
                self = .forward(target: target, entries: entries, more: more)
            case .linkLocal(var target):
                try fields.field(&target, limit: shownBytes)
                self = .linkLocal(target: target)
            case .socketTarget(var path):
                try fields.field(&path, limit: shownBytes)
                self = .socketTarget(path: path)
            }
        }

        private static func walk(_ entries: inout [String], _ fields: inout MessageFields) throws(IPCError) {
            try fields.field(&entries, limit: UInt8(shownEntries), blank: "") {
                (entry: inout String, fields: inout MessageFields) throws(IPCError) in
                try fields.field(&entry, limit: entryBytes)
            }
        }
    }
}
