/// A command that a worker asks its gate to run on a host. What it says is judged, and the line that the host is sent is the
/// gate's own.
public struct GateCommand: Equatable, Sendable {
    /// Bytes of the command, its directory and its variables, as `words` has them. The kernel gives no longer text to a
    /// shell (MAX_ARG_STRLEN, execve(2)).
    public static let maximumWords = 128 * 1024
    /// The longest time that a config lets a command ask for, in seconds.
    public static let longest: UInt32 = 86_400

    /// The host's name in the config.
    public var host: String
    /// For the user's login shell there, or for its `/bin/sh`, as the policy says.
    public var command: String
    /// Where it runs: empty for the login directory, a leading `~/` means the same directory.
    public var directory: String
    /// Variables for it; the names are valid shell names.
    public var environment: [String: String]
    /// How long it may run, in seconds.
    public var seconds: UInt32
    /// What its marks begin with.
    public var nonce: String
    /// The number of the call that it is for.
    public var call: UInt32

    /// A command.
    public init(
        host: String, command: String, directory: String = "", environment: [String: String] = [:], seconds: UInt32,
        nonce: String, call: UInt32 = 0
    ) {
        self.host = host
        self.command = command
        self.directory = directory
        self.environment = environment
        self.seconds = seconds
        self.nonce = nonce
        self.call = call
    }

    /// The texts that no field of a packet has room for, each with a NUL behind it: none of them can contain one.
    var words: String {
        ([directory, command] + environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
            .map { "\($0)\0" }.joined()
    }

    /// Bytes of its words.
    public var size: Int { words.utf8.count }

    /// The requests that have a gate judge it, and that ask for it.
    /// - Returns: nil where its words are more than `maximumWords`: it cannot run.
    public var requests: (judge: GateRequest, exec: GateRequest)? {
        let words = words
        guard words.utf8.count <= Self.maximumWords else { return nil }
        return (
            .judge(host: host, seconds: seconds, nonce: nonce, words: words, call: call),
            .exec(host: host, seconds: seconds, nonce: nonce, words: words, call: call)
        )
    }

    /// Words in parts that packets have room for, in their order; one at least.
    static func parts(of words: String) -> [String] {
        var rest = Substring(words)
        var parts: [String] = []
        while rest.utf8.count > Frame.maximumText {
            var end = rest.utf8.index(rest.utf8.startIndex, offsetBy: Frame.maximumText)
            while rest.utf8[end] & 0xC0 == 0x80 { end = rest.utf8.index(before: end) }
            parts.append(String(rest[..<end]))
            rest = rest[end...]
        }
        return parts + [String(rest)]
    }
}

/// The words of a command that have come ahead of it, in a gate.
public struct WordsAhead: Sendable {
    /// What no honest worker sends.
    public struct Violation: Error, Equatable {}

    private var bytes: [UInt8] = []
    private var requestID: UInt32 = 0

    /// None.
    public init() {}

    /// Takes those of one message. Nothing but more of them, and then their command, may follow.
    public mutating func take(_ words: String, _ requestID: UInt32) throws(Violation) {
        guard bytes.isEmpty || self.requestID == requestID, !words.isEmpty,
            bytes.count + words.utf8.count <= GateCommand.maximumWords
        else { throw Violation() }
        self.requestID = requestID
        bytes += words.utf8
    }

    /// Whether a command must come next, and under which id.
    public var awaited: UInt32? { bytes.isEmpty ? nil : requestID }

    /// The command whose last words these are.
    public mutating func command(
        host: String, seconds: UInt32, nonce: String, words: String, call: UInt32 = 0, _ requestID: UInt32
    ) throws(Violation) -> GateCommand {
        defer { bytes = [] }
        guard bytes.isEmpty || self.requestID == requestID,
            bytes.count + words.utf8.count <= GateCommand.maximumWords
        else { throw Violation() }
        let all = bytes + words.utf8
        guard all.last == 0, Nonce.isOne(nonce), (1...GateCommand.longest).contains(seconds) else { throw Violation() }
        var texts = all.dropLast().split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard texts.count >= 2 else { throw Violation() }
        let command = texts[1]
        let directory = texts[0]
        texts.removeFirst(2)
        var environment: [String: String] = [:]
        for text in texts {
            // By scalars: an equals sign with a combining mark behind it is one Character, and still an equals sign.
            guard let sign = text.unicodeScalars.firstIndex(of: "="), Self.isName(text[..<sign]),
                environment.updateValue(
                    String(text.unicodeScalars[sign...].dropFirst()), forKey: String(text[..<sign])) == nil
            else { throw Violation() }
        }
        return GateCommand(
            host: host, command: command, directory: directory, environment: environment, seconds: seconds,
            nonce: nonce, call: call)
    }

    /// Whether a shell takes it for a variable's name, POSIX XBD section 3.216.
    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
