internal import IPC
internal import JSON

/// The lines of an audit log as a chain. Each line begins with the SHA-256 of the line before it, FIPS 180-4. So no line can be
/// changed, left out or moved without changing all lines after it.
enum AuditChain {
    /// The hash in the very first line.
    static let beginning = String(repeating: "0", count: 64)
    /// Bytes of the longest line, without its newline.
    static let maximumLine = 16 << 10

    private static let head = Array(#"{"prev":""#.utf8)

    /// A line, without its newline, from its members after `prev`.
    static func line(after previous: String, _ members: String) -> [UInt8] {
        head + Array(previous.utf8) + Array("\",".utf8) + Array(members.utf8) + [UInt8(ascii: "}")]
    }

    /// The hash of the line before, as a line has it; nil if the line does not have the form that `line` makes.
    static func previous(of line: ArraySlice<UInt8>) -> String? {
        guard line.starts(with: head), line.last == UInt8(ascii: "}") else { return nil }
        let rest = line.dropFirst(head.count)
        let hash = rest.prefix(64)
        guard SHA256.isDigest(hash), rest.dropFirst(64).starts(with: "\",\"".utf8)
        else { return nil }
        return String(decoding: hash, as: UTF8.self)
    }

    /// Whether a line is one JSON object.
    static func isObject(_ line: [UInt8]) -> Bool {
        JSONValue.parse(line)?.object != nil
    }

    /// The SHA-256 of a line, without its newline, in 64 lower-case hexadecimal digits.
    static func hash(_ line: ArraySlice<UInt8>) -> String {
        SHA256.of(line)
    }
}
