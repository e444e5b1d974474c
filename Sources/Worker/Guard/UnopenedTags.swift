/// Finds closing tags that nothing has opened, of elements that other XML vocabularies have too. Their opening tags say
/// nothing by themselves, but a text that closes what it did not open speaks to who reads it in the middle of a call.
enum UnopenedTags {
    private static let names: [(name: StaticString, category: InjectionCategories)] = [
        ("parameter", .xmlToolTags), ("system", .authorityTags), ("important", .authorityTags),
        ("admin", .authorityTags), ("operator", .authorityTags), ("anthropic", .authorityTags),
        ("openai", .authorityTags), ("claude", .authorityTags),
    ]

    private static let beginnings = ByteScan { $0 == UInt8(ascii: "<") }
    private static let ends = ByteScan { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">") }

    /// Reads each tag once.
    static func search(_ text: UnsafeRawBufferPointer) -> InjectionCategories {
        var found: InjectionCategories = []
        var open = [Int](repeating: 0, count: names.count)
        var index = beginnings.next(in: text, from: 0)
        while index < text.count {
            index = skipBlanks(text, from: index + 1)
            let isClosing = text.byte(index) == UInt8(ascii: "/")
            if isClosing { index = skipBlanks(text, from: index + 1) }
            if let (element, end) = name(text, at: index) {
                index = ends.next(in: text, from: end)
                let isClosed = text.byte(index) == UInt8(ascii: ">")
                let isEmpty = text.byte(index - 1) == UInt8(ascii: "/")
                if !isClosing {
                    open[element] += isEmpty ? 0 : 1
                } else if open[element] > 0 {
                    open[element] -= 1
                } else if isClosed, skipBlanks(text, from: end) == index {
                    found.formUnion(names[element].category)
                }
            }
            index = beginnings.next(in: text, from: index)
        }
        return found
    }

    /// The element whose whole name stands here, and the index after it.
    private static func name(_ text: UnsafeRawBufferPointer, at index: Int) -> (element: Int, end: Int)? {
        let first = text.byte(index) | 0x20
        guard (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return nil }
        for (element, (name, _)) in names.enumerated() where name.utf8Start[0] == first {
            let count = name.utf8CodeUnitCount
            guard (0..<count).allSatisfy({ text.byte(index + $0) | 0x20 == name.utf8Start[$0] }) else { continue }
            switch text.byte(index + count) {
            case 9...13, UInt8(ascii: " "), UInt8(ascii: ">"), UInt8(ascii: "/"): return (element, index + count)
            default: continue
            }
        }
        return nil
    }

    private static func skipBlanks(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while (9...13).contains(text.byte(index)) || text.byte(index) == UInt8(ascii: " ") { index += 1 }
        return index
    }
}
