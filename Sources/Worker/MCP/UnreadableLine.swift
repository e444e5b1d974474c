internal import JSON

/// Whom to answer where a line is no JSON that this server takes: the ids of the requests in it that can be read all the same.
/// A client waits for the answer to each request that it sent, however the rest of its line is spelled.
///
/// Strings may hold what they must not (half a surrogate pair, bytes that are not UTF-8, controls, unknown escapes), names
/// may be repeated, and depth and number of values are not bounded, as nothing is kept of them. Brackets, commas and colons
/// must stand where JSON has them: at the first that does not, reading ends, and what was not read by then is not known.
/// So what stands in a string or deeper is never taken for an id.
struct UnreadableLine {
    /// The ids of the objects at the top: the message, or those of a batch, in order. One without an id that can be read, or
    /// with several, has none; an answer from the client has none that concerns us.
    private(set) var ids: [RequestID] = []

    /// The line is a batch.
    private(set) var isBatch = false

    private let bytes: [UInt8]
    private var index = 0

    /// - Parameter most: ids that are read.
    init(_ bytes: [UInt8], most: Int) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        skipBlanks()
        isBatch = take(UInt8(ascii: "["))
        guard isBatch else {
            readMessage()
            return
        }
        repeat {
            skipBlanks()
            guard ids.count < most, readMessage() else { return }
            skipBlanks()
        } while take(UInt8(ascii: ","))
    }

    /// What is known of one message so far.
    private struct Message {
        var id: RequestID?
        var hasSeveralIDs = false
        var isAnswer = false
        var isRequest = false

        mutating func take(_ new: RequestID?) {
            hasSeveralIDs = hasSeveralIDs || (id != nil && id != new)
            id = new
        }
    }

    /// - Returns: whether it was read to its end.
    @discardableResult
    private mutating func readMessage() -> Bool {
        var message = Message()
        let isWhole = readMembers(&message)
        if let id = message.id, !message.hasSeveralIDs, message.isRequest || !message.isAnswer { ids.append(id) }
        return isWhole
    }

    private mutating func readMembers(_ message: inout Message) -> Bool {
        guard take(UInt8(ascii: "{")) else { return false }
        repeat {
            skipBlanks()
            let start = index
            guard skipString() else { return false }
            let name = string(start..<index)
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { return false }
            skipBlanks()
            let value = index
            guard skipValue() else { return false }
            switch name {
            case "id": message.take(id(value..<index))
            case "method": message.isRequest = true
            case "result", "error": message.isAnswer = true
            default: break
            }
            skipBlanks()
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}"))
    }

    /// The text of a whole string, where it is one.
    private func string(_ place: Range<Int>) -> String? { JSONValue.parse(Array(bytes[place]))?.string }

    /// An id, where it is one: a number that ends with the line may have lost its end.
    private func id(_ place: Range<Int>) -> RequestID? {
        guard place.upperBound < bytes.count, place.count <= Self.longestID else { return nil }
        return RequestID(JSONValue.parse(Array(bytes[place])))
    }

    /// Bytes of an id that is sent back in an error.
    private static let longestID = 4096

    // MARK: Walking over the text

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipBlanks() { skip { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 } }

    private mutating func skip(while isSuch: (UInt8) -> Bool) {
        index = bytes.withUnsafeBufferPointer { bytes in
            var index = index
            while index < bytes.count, isSuch(bytes[index]) { index += 1 }
            return index
        }
    }

    /// Goes behind a string. What follows a backslash belongs to it, whatever it is.
    private mutating func skipString() -> Bool {
        guard take(UInt8(ascii: "\"")) else { return false }
        while true {
            skip { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            guard index < bytes.count else { return false }
            if take(UInt8(ascii: "\"")) { return true }
            index = min(index + 2, bytes.count)
        }
    }

    /// Goes behind a value of any depth.
    private mutating func skipValue() -> Bool {
        // The brackets that are open, as what closes them.
        var open: [UInt8] = []
        while true {
            skipBlanks()
            switch next {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let closing = next == UInt8(ascii: "{") ? UInt8(ascii: "}") : UInt8(ascii: "]")
                index += 1
                open.append(closing)
                skipBlanks()
                guard next == closing || (closing == UInt8(ascii: "}") ? skipName() : true) else { return false }
                if next != closing { continue }
            default:
                guard skipWord() else { return false }
            }
            // Behind a value, or before the end of what is empty: what it stands in ends or goes on.
            while let closing = open.last {
                skipBlanks()
                if take(closing) {
                    open.removeLast()
                    continue
                }
                guard take(UInt8(ascii: ",")) else { return false }
                skipBlanks()
                // A comma too many.
                if next == closing { continue }
                guard closing == UInt8(ascii: "]") || skipName() else { return false }
                break
            }
            if open.isEmpty { return true }
        }
    }

    private mutating func skipName() -> Bool {
        skipBlanks()
        guard skipString() else { return false }
        skipBlanks()
        return take(UInt8(ascii: ":"))
    }

    /// Goes behind a number or a word, or what should be one.
    private mutating func skipWord() -> Bool {
        let start = index
        skip { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."): true
            default: false
            }
        }
        return index > start
    }
}
