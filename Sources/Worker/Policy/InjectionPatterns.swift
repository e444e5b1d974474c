/// The built-in patterns of the injection guard, in the syntax of RE2. One more pattern adds states to the automaton
/// that searches for all of them, and no pass over the text. Tests/ToolsTests/InjectionCorpus.swift lists what must
/// match and what must not.
enum InjectionPatterns {
    /// What may stand between two words: white space, the marks with which a line of a comment or a quotation begins,
    /// and JSON's escapes for line ends and tabs.
    private static let gap = #"(?:[\s\pZ*_>#/|"'`~,()-]|\\[nrt])+"#

    /// All patterns with their categories. In the tables below `⟨you are⟩` matches every spelling of these words, a
    /// space matches any gap, `\x20` matches a space, and case is ignored unless a pattern begins with `(?-i)`.
    static let all: [(category: InjectionCategories, pattern: String)] =
        tables.flatMap { category, patterns in patterns.map { (category, expanded($0)) } }

    private static let tables: [(InjectionCategories, [String])] = [
        (.xmlToolTags, toolTags), (.authorityTags, authorityTags), (.instructionOverride, instructionOverride),
        (.roleHijacking, roleHijacking),
    ]

    private static func expanded(_ pattern: String) -> String {
        var text = "(?i)"
        // The words may be contracted, with or without the apostrophe.
        let parts = pattern.split(separator: "⟨you are⟩", omittingEmptySubsequences: false)
        text += parts.map { words($0) }.joined(separator: words(#"\b(?:you are|you['’]?re)"#))
        return text
    }

    private static func words(_ pattern: Substring) -> String {
        pattern.split(separator: " ", omittingEmptySubsequences: false).joined(separator: gap)
    }

    /// Function calls as the models of Anthropic, OpenAI, Mistral, Llama, Qwen and DeepSeek write them. DeepSeek's have
    /// fullwidth bars, and U+2581 between words. `<invoke operation="x">` and `<parameter>` without a name do not
    /// match, because many XML vocabularies have them.
    private static let toolTags = [
        #"</?(?:antml:)?(?:function_calls?|function_results?|tool_calls?|tool_use|tool_results?|tool_response|tool_code|tool_outputs?|use_mcp_tool)(?:\s[^<>]*)?/?>"#,
        #"</?antml:[a-z_]+"#,
        #"<invoke\s+name\s*=\s*["'][^"'<>]*["']\s*>"#,
        #"</invoke\s*>"#,
        #"<parameter\s+name\s*=\s*["'][^"'<>]*["']\s*>"#,
        #"<function=[\w.-]+>"#,
        #"<[|｜](?:tool[_▁](?:calls?|outputs?|response|sep)|python_tag|function[_▁]calls?)[^|｜<>]*[|｜]>"#,
        #"(?-i)\[/?(?:TOOL_CALLS?|TOOL_RESULTS|AVAILABLE_TOOLS)\]"#,
    ]

    /// Markup that claims to speak for the system, the operator or a turn of the conversation. Some markup of other
    /// programs must not match: Maven has `<system>` before one or two capitalised words, a data format has `<system>`
    /// with attributes before an element, DocBook has `<important>` before an element, POD has `C<root>`, C++ has
    /// `cast<Operator>`, and `<user>` and `<developer>` are common everywhere.
    private static let authorityTags = [
        #"</?(?:system|admin|developer|assistant)[-_](?:reminder|prompt|message|instructions?|override|directive)s?(?:\s[^<>]*)?>"#,
        #"(?:\A|\W)<\s*system\s*>(?:\s|\z|(?-i:[a-z])|[^\sa-z<]|[^\s<]+(?:\s+[^\s<]+){2})"#,
        #"(?:\A|\W)<(?:admin|root|operator|anthropic|openai|claude)>\s*[a-z\x{80}-\x{10FFFF}][^\s<]*(?:\s+[^\s<]+){2}"#,
        #"(?:\A|\W)<\s*system(?:\s+[a-z][\w-]*\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))+\s*>\s*(?:\z|(?-i:[a-z])|[^\sa-z<]|[^\s<]+(?:\s+[^\s<]+){2})"#,
        #"<important(?:[-_]instructions?)?>\s*[^<\s]"#,
        #"</?(?:human|assistant)>"#,
        #"<\|(?:im_start|im_end|system|assistant|start_header_id|eot_id)\|>"#,
        #"<(?:start|end)_of_turn>"#,
        #"(?-i)\[/?INST\]|<</?SYS>>"#,
        #"(?m)^###[\x20\t]*system(?:[\x20\t]+(?:prompt|message|instruction)s?)?[\x20\t]*:"#,
        #"\[(?:system|admin)[\x20_-](?:prompt|override|instructions?)\]"#,
        #"\bsystem override[\x20\t]*:"#,
    ]

    /// Sentences that tell a model to drop its instructions, to follow others, to hide something from the user or to
    /// show its prompt.
    private static let instructionOverride = [
        #"\b(?:ignore|disregard|forget|discard|override|(?:do not|don['’]?t|stop) (?:follow|obey|follow(?:ing)|obeying)) (?:(?:all|any|every|each|of|the|these|those|your|my|our|other|and) ){0,4}(?:previous|previously|prior|earlier|above|preceding|foregoing|initial|original|system|past|former|your) (?:(?:system|developer|safety|security|user|your|and|or|given|prior|earlier|of|the|these) ){0,3}(?:instructions?|prompts?|directives?|guidelines?|programming|training|orders)\b"#,
        #"\b(?:ignore|disregard|forget) (?:all|any|every) (?:(?:of|the|your|these|those|other|safety|security) ){0,3}(?:instructions|prompts|guidelines)\b"#,
        #"\b(?:ignore|disregard|forget|bypass) (?:(?:all|any|every|of|the) ){0,3}(?:your|previous|prior) (?:(?:safety|security|system|content|previous|prior|own) ){0,2}(?:rules|policies|constraints|limitations|safeguards|guardrails|safety measures)\b"#,
        #"\b(?:ignore|disregard|forget) (?:everything|anything|all|all of (?:it|that|this|the)) (?:that )?(?:above|before this|i (?:said|told)|(?:you (?:have been|were|know)|you['’]?ve been))"#,
        #"\b(?:instructions?|prompts?|rules|guidelines) (?:above|before this|you were given) (?:are|is) (?:now )?(?:void|obsolete|cancell?ed|revoked|invalid|superseded)"#,
        #"\b(?:new|real|actual|secret|hidden) (?:(?:system|secret|hidden) )?instructions?\s*(?::| (?:from|by) (?:the )?(?:user|admin|administrator|operator|developer|system|anthropic|openai)\b)"#,
        #"\binstructions? (?:override|overrides|supersede|supersedes|replace|replaces|take precedence over|takes precedence over) (?:(?:all|any|every|of) ){0,2}(?:your|previous|prior|earlier|other)\b"#,
        #"\b(?:do not|don['’]?t|never|without) (?:tell|telling|inform|informing|mention(?:ing)? (?:this|it|that) to|reveal(?:ing)? (?:this|it|that) to) the user (?:about |of )?(?:this|these|it|any of|anything|what you)\b"#,
        #"\b(?:reveal|print|output|repeat|show|leak|send|display|disclose) (?:(?:me|us|the|full|entire|complete|hidden|whole|contents|of|out|all) ){0,4}your (?:(?:full|entire|complete|hidden|initial|original|own) ){0,2}(?:system prompt|system message|initial prompt|initial instructions)\b"#,
    ]

    /// Sentences that give a model another role. "You are now connected", "act as a proxy", "pretend to be a browser"
    /// and "enable developer mode" do not match.
    private static let roleHijacking = [
        #"⟨you are⟩ now (?:an?|the|my) (?:[\w-]+ ){0,3}(?:ai|assistant|agent|bot|chatbot|language model|hacker|attacker|persona|character|pirate)\b"#,
        #"⟨you are⟩ now (?:(?:an?|the|my) )?(?:dan|jailbroken|unrestricted|uncensored|unfiltered|free from|acting as|roleplaying|role-playing|in (?:dan|developer|jailbreak|god|unrestricted) mode)\b"#,
        #"⟨you are⟩ no longer (?:(?:an? )?(?:ai|assistant|language model|claude|chatgpt|gpt)|bound by (?:your|the|any|these|those)|required to follow (?:your|the|any))\b"#,
        #"\bpretend (?:that )?⟨you are⟩ (?:an?|the|my|not)\b"#,
        #"\b(?:act|behave|respond|answer|reply|roleplay|role-play) (?:as|like) (?:if ⟨you are⟩ )?(?:(?:an?|the) )?(?:unrestricted|uncensored|unfiltered|evil|malicious|jailbroken|rogue|amoral|different ai|hacker|dan)\b"#,
        #"\b(?:act|behave|respond|answer|reply|speak|roleplay|role-play) as (?:if|though) (?:you|youre)\b"#,
        #"\b(?:act|behave|respond|answer|reply|speak|roleplay|role-play) like ⟨you are⟩\b"#,
        #"\bfrom now on (?:you (?:(?:will|must|shall|should) )?(?:only )?(?:act|behave|respond|answer|obey|pretend|roleplay|speak|reply)|⟨you are⟩ (?:an?|my|the|no longer)|your (?:name|role|identity|only|new))\b"#,
        #"\byour (?:new|true|real|actual) (?:role|identity|persona|personality|purpose|objective|mission|goal|task)(?: is\b|\s*:)"#,
        #"\b(?:enter|enable|activate|engage|switch to|unlock) (?:dan|jailbreak|unrestricted|uncensored) mode\b"#,
        #"\b(?:assume|adopt|take on) the (?:persona|identity|personality|character) of\b"#,
        #"\bas an (?:ai|artificial intelligence)(?: (?:language )?(?:model|assistant|agent))? you (?:must|should|will|shall|have to)\b"#,
        #"(?-i)\n\n(?:Human|Assistant):\s"#,
    ]
}
