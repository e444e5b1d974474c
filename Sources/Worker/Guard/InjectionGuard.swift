internal import CRE2
internal import Synchronization

/// Searches text of remote hosts for what is written to mislead a model. It searches for all patterns in one pass and
/// for hidden text in another. If the text has a plainer spelling, it searches that for the patterns too. It tells the
/// categories that it found, never the text.
public final class InjectionGuard: Sendable {
    /// A pattern of the config that cannot be used.
    public struct Mistake: Equatable, Sendable {
        /// Its index in `safeguards.patterns`.
        public let index: Int
        /// Why it cannot be used.
        public let reason: String
    }

    /// Bytes that the program of all patterns and its automaton may take together. The automaton starts anew when it is
    /// full.
    private static let budget: Int64 = 32 << 20
    /// How many instructions the config's patterns may have together, about one a character. At worst, the search looks
    /// at each of them for every byte of the text.
    private static let maximumInstructions = 20_000
    /// Bytes that RE2 may take to compile one pattern when its size is measured, so that it does not compile a huge one
    /// to its end. They suffice for about 106,000 instructions (RE2 of Debian 12).
    private static let sizeBudget = Int64(maximumInstructions * 16 * 4)

    /// The config's patterns, as they were given.
    public let patterns: [String]
    private let budget: Int64
    /// The first search compiles them, because that takes longer than to start a worker. There are two of the same
    /// patterns: a search that fills RE2's automaton locks it until all others in it have ended, and a short text must
    /// not wait for a long one.
    private let forShort = Compiled()
    private let forLong = Compiled()

    /// Bytes of the longest short text. A short text is searched in a moment, and its search never waits for that of a
    /// longer one.
    public static let short = 4096

    /// A guard with the built-in patterns and these.
    public init(patterns: [String] = []) {
        self.patterns = patterns
        budget = Self.budget
    }

    /// A guard with this much memory, for tests.
    init(budget: Int64) {
        patterns = []
        self.budget = budget
    }

    /// What is wrong with the patterns of a config; empty if all can be used, also together.
    public static func mistakes(in patterns: [String]) -> [Mistake] {
        var mistakes: [Mistake] = []
        var instructions = 0
        for (index, pattern) in patterns.enumerated() {
            var reason = [CChar](repeating: 0, count: 256)
            let size = Int(PatternSet.withUTF8(pattern) { cre2_size($0, $1, sizeBudget, &reason, reason.count) })
            let before = instructions
            instructions += max(0, size)
            if size < 0 {
                let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                mistakes.append(Mistake(index: index, reason: "cannot be compiled: \(text)"))
            } else if instructions > maximumInstructions, before <= maximumInstructions {
                mistakes.append(Mistake(index: index, reason: tooLarge))
            }
        }
        // The limit on instructions should leave enough memory for the automaton. A search shows whether it does.
        if mistakes.isEmpty, !patterns.isEmpty, InjectionGuard(patterns: patterns).search("x").contains(.notSearched) {
            mistakes.append(Mistake(index: patterns.count - 1, reason: tooLarge))
        }
        return mistakes
    }

    private static let tooLarge = "is too large, itself or with those before it"

    /// Whether a search of a short text can begin at once: the patterns are compiled, and no thread holds them locked.
    public var isReady: Bool { forShort.isThere }

    /// Compiles the patterns for short texts unless they are compiled already. It takes a moment.
    public func prepare() { _ = patternSet(for: 0) }

    private func patternSet(for count: Int) -> PatternSet {
        (count <= Self.short ? forShort : forLong).set(patterns, budget: budget)
    }

    /// The categories that occur in a text.
    public func search(_ text: String) -> InjectionCategories {
        var text = text
        return text.withUTF8 { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            return searchPatterns(bytes).union(HiddenText.search(bytes))
        }
    }

    /// The categories whose patterns match the text as it stands or its plain spelling.
    private func searchPatterns(_ bytes: UnsafeRawBufferPointer) -> InjectionCategories {
        guard !bytes.isEmpty else { return [] }
        let set = patternSet(for: bytes.count)
        let found = set.search(bytes).union(UnopenedTags.search(bytes))
        guard let plain = PlainSpelling.of(bytes) else { return found }
        return plain.withUnsafeBytes { found.union(set.search($0)).union(UnopenedTags.search($0)) }
    }
}

/// A set of patterns that is compiled when it is first asked for.
private final class Compiled: Sendable {
    private let known = Mutex<PatternSet?>(nil)

    /// Whether it is compiled and no thread holds it locked.
    var isThere: Bool { known.withLockIfAvailable { $0 != nil } ?? false }

    /// Returns the set. The first caller compiles it; the others wait for that.
    func set(_ patterns: [String], budget: Int64) -> PatternSet {
        known.withLock { known in
            let set = known ?? PatternSet(patterns, budget: budget)
            known = set
            return set
        }
    }
}

/// The built-in patterns and the config's as one set of RE2.
/// It is `@unchecked` because nothing changes after `init`, and any number of threads may search a compiled set,
/// re2/set.h.
private final class PatternSet: @unchecked Sendable {
    private let set: OpaquePointer?
    private let categories: [InjectionCategories]

    init(_ custom: [String], budget: Int64) {
        let all = InjectionPatterns.all + custom.map { (.custom, $0) }
        let set = cre2_new(budget)
        var complete = set != nil
        for (_, pattern) in all where complete {
            complete = Self.withUTF8(pattern) { cre2_add(set, $0, $1) } == 1
        }
        // A set that is not compiled finds nothing, and cre2_search says so.
        if complete { _ = cre2_compile(set) }
        self.set = set
        categories = all.map(\.0)
    }

    deinit { cre2_free(set) }

    func search(_ bytes: UnsafeRawBufferPointer) -> InjectionCategories {
        var matched = [UInt8](repeating: 0, count: categories.count)
        guard let set, cre2_search(set, bytes.baseAddress, bytes.count, &matched, matched.count) == 1 else {
            return .notSearched
        }
        return zip(categories, matched).reduce(into: []) { found, pair in
            if pair.1 == 1 { found.formUnion(pair.0) }
        }
    }

    static func withUTF8<Result>(_ text: String, _ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { body($0.baseAddress, $0.count) }
        }
    }
}
