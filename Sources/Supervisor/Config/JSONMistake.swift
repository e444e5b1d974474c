/// Where a text stops being JSON (RFC 8259), for a person who wrote it: the decoder does not say, and takes a comma before
/// a closing brace.
struct JSONMistake: Equatable, CustomStringConvertible {
    /// From 1.
    let line: Int
    /// From 1, in bytes.
    let column: Int
    let expected: String

    var description: String { "line \(line), column \(column): \(expected)" }

    /// The first mistake; nil where there is none.
    static func find(in json: [UInt8]) -> JSONMistake? {
        var reader = Reader(json: json)
        guard let expected = reader.mistake() else { return nil }
        let before = json[..<min(reader.at, json.count)]
        let line = before.count(where: { $0 == UInt8(ascii: "\n") })
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return JSONMistake(line: line + 1, column: before.count - start + 1, expected: expected)
    }

    private struct Reader {
        let json: [UInt8]
        var at = 0
        /// The brackets that close what is open.
        private var open: [UInt8] = []

        init(json: [UInt8]) { self.json = json }

        private var next: UInt8? { at < json.count ? json[at] : nil }

        /// What is wrong at the place where reading stops.
        mutating func mistake() -> String? {
            guard let found = firstMistake() else { return nil }
            return next == UInt8(ascii: "/") || next == UInt8(ascii: "#") ? "JSON has no comments" : found
        }

        private mutating func firstMistake() -> String? {
            if json.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
            skipBlanks()
            while true {
                if open.isEmpty || next != open.last {
                    if open.last == UInt8(ascii: "}"), let mistake = name() { return mistake }
                    if next == UInt8(ascii: "{") || next == UInt8(ascii: "[") {
                        // In ASCII the closing bracket stands two places behind the opening one.
                        open.append(json[at] + 2)
                        at += 1
                        skipBlanks()
                        continue
                    }
                    if let mistake = scalar() { return mistake }
                }
                if let mistake = endOfValue() { return mistake }
                if open.isEmpty { return nil }
            }
        }

        /// Closing brackets, and the comma before the next value.
        private mutating func endOfValue() -> String? {
            skipBlanks()
            while let close = open.last {
                let comma = at
                let bracket = Character(UnicodeScalar(close))
                if take(UInt8(ascii: ",")) {
                    guard next == close else { return nil }
                    at = comma
                    return "no comma may stand before \"\(bracket)\""
                }
                guard take(close) else {
                    return next == nil ? "\"\(bracket)\" is missing" : "\",\" or \"\(bracket)\" is expected"
                }
                open.removeLast()
            }
            return next == nil ? nil : "nothing may follow the closing bracket"
        }

        private mutating func name() -> String? {
            guard next == UInt8(ascii: "\"") else { return "a name in double quotes is expected" }
            if let mistake = string() { return mistake }
            skipBlanks()
            return take(UInt8(ascii: ":")) ? nil : "\":\" is expected"
        }

        private mutating func scalar() -> String? {
            if next == UInt8(ascii: "\"") { return string() }
            let start = at
            while let byte = next, byte >= 0x80 || Self.word.contains(byte) { at += 1 }
            let text = String(decoding: json[start..<at], as: UTF8.self)
            if ["true", "false", "null"].contains(text) || Double(text) != nil { return nil }
            at = start
            return text.isEmpty
                ? "a value is expected" : "\"\(text.prefix(40))\" is no value; text stands in double quotes"
        }

        private static let word = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._".utf8)

        private mutating func string() -> String? {
            let start = at
            at += 1
            while let byte = next, byte >= 0x20 {
                at += byte == UInt8(ascii: "\\") ? 2 : 1
                if byte == UInt8(ascii: "\"") { return nil }
            }
            at = start
            return "this quote is not closed on its line"
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            at += 1
            skipBlanks()
            return true
        }

        private mutating func skipBlanks() {
            while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { at += 1 }
        }
    }
}
