internal import CLinux
internal import Glibc
internal import JSON

/// A line of the log for a person: time, level, words, then the fields as `name=value`.
struct TerminalLine {
    let hasColor: Bool

    /// The line, with its newline. The values must be words of `word`.
    func text(_ level: LogLevel, _ message: String, _ fields: [(key: String, word: String)]) -> String {
        let mark = level.rawValue + String(repeating: " ", count: 5 - level.rawValue.count)
        var line = "\(painted(Self.now(), "2")) \(painted(mark, Self.color(of: level))) \(LogText.shown(message))"
        for (index, field) in fields.enumerated() {
            line += (index == 0 ? "  " : " ") + painted(LogText.shown(field.key) + "=", "2") + field.word
        }
        return line + "\n"
    }

    /// Between the sequences of ECMA-48 that turn these attributes on and all off.
    private func painted(_ text: String, _ attributes: String?) -> String {
        guard hasColor, let attributes else { return text }
        return "\u{1B}[\(attributes)m\(text)\u{1B}[0m"
    }

    private static func color(of level: LogLevel) -> String? {
        switch level {
        case .info: nil
        case .warning: "33"
        case .error: "1;31"
        }
    }

    /// A value as one word, which can be nothing else than that value: with anything but plain characters it stands in quotes.
    static func word(_ value: LogValue) -> String {
        switch value {
        case .text(let text): word(text)
        case .number(let number): String(number)
        case .list(let texts): "[\(texts.map(word).joined(separator: ", "))]"
        }
    }

    private static func word(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","): false
            default: (0x21...0x7E).contains(byte)
            }
        }
        return isPlain && !text.isEmpty ? text : LogText.quoted(text)
    }

    /// The fields in the text of JSON members, those of an object with its name in front: `what.command`.
    static func words(of members: String) -> [(key: String, word: String)] {
        guard case .object(let object) = JSONValue.parse(Array("{\(members)}".utf8)) else {
            return [("fields", word(members))]
        }
        var words: [(key: String, word: String)] = []
        add(object, named: "", to: &words)
        return words
    }

    private static func add(_ object: JSONObject, named name: String, to words: inout [(key: String, word: String)]) {
        for member in object.members {
            let key = name.isEmpty ? member.name : "\(name).\(member.name)"
            if case .object(let inner) = member.value {
                add(inner, named: key, to: &words)
            } else {
                words.append((key, word(of: member.value)))
            }
        }
    }

    private static func word(of value: JSONValue) -> String {
        switch value {
        case .string(let text): word(text)
        case .array(let values): "[\(values.map(word(of:)).joined(separator: ", "))]"
        case .null, .bool, .integer, .number, .object, .encoded, .spelled:
            String(decoding: JSONWriter.bytes(of: value), as: UTF8.self)
        }
    }

    /// The time on the clock of this machine, to the second.
    private static func now() -> String {
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        var parts = tm()
        localtime_r(&clock.tv_sec, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S", &parts)
        return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
