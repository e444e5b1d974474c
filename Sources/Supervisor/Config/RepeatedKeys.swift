internal import FoundationEssentials

/// Members that an object of the config has twice. The JSON decoder keeps one of them in silence, and a person may read
/// the other.
enum RepeatedKeys {
    private enum Level {
        /// The member names so far, and the one that a value belongs to.
        case object(seen: Set<String>, name: String)
        case array(index: Int)
    }

    /// The paths of repeated members, in their order, of a text that is valid JSON.
    static func find(in json: [UInt8]) -> [String] {
        var found: [String] = []
        var levels: [Level] = []
        var expectsName = false
        var position = 0
        while position < json.count {
            let byte = json[position]
            position += 1
            switch byte {
            case UInt8(ascii: "{"):
                levels.append(.object(seen: [], name: ""))
                expectsName = true
            case UInt8(ascii: "["): levels.append(.array(index: 0))
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = levels.popLast()
                expectsName = false
            case UInt8(ascii: ","):
                if case .array(let index) = levels.last { levels[levels.count - 1] = .array(index: index + 1) }
                if case .object = levels.last { expectsName = true }
            case UInt8(ascii: "\""):
                let start = position
                while position < json.count, json[position] != UInt8(ascii: "\"") {
                    position += json[position] == UInt8(ascii: "\\") ? 2 : 1
                }
                position += 1
                guard expectsName, case .object(var seen, _) = levels.last, position <= json.count else { continue }
                expectsName = false
                let name = text(json[(start - 1)..<position])
                levels[levels.count - 1] = .array(index: 0)  // so that `seen` is not copied
                let isNew = seen.insert(name).inserted
                levels[levels.count - 1] = .object(seen: seen, name: name)
                if !isNew { found.append(path(levels)) }
            default: break
            }
        }
        return found
    }

    private static func path(_ levels: [Level]) -> String {
        levels.reduce(into: "") { path, level in
            switch level {
            case .object(_, let name): path += path.isEmpty ? name : ".\(name)"
            case .array(let index): path += "[\(index)]"
            }
        }
    }

    private static func text(_ quoted: ArraySlice<UInt8>) -> String {
        (try? JSONDecoder().decode(String.self, from: Data(quoted))) ?? String(decoding: quoted, as: UTF8.self)
    }
}
